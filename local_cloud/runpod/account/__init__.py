"""What exists for the customer: the account on disk, the catalogue with its prices, the cost of workers.
Knows no HTTP and no running worker."""
