"""The rules that no stack may break: checked by the program and by a policy pack."""
