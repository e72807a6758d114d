"""All workers of all endpoints: how many there should be, and their life from start to end.
workers/ knows the single worker; jobs/ knows the jobs."""
