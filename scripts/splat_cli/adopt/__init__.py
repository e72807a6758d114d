"""Adopts an endpoint, a bucket and a Worker script that exist already: finds them, shows them, writes the keys.
Changes nothing outside: the next `pulumi up` of the stack adopts them, in place and with their ids."""
