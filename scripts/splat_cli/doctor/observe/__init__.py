"""What the doctor reads. Changes nothing that lasts; decides nothing."""
