"""Management API (REST v2): wire forms, rules, routes.
Never starts or stops a worker; it changes the account and tells the platform what changed."""
