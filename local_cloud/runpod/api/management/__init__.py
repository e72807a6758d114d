"""Management API (REST v2): wire forms, rules, routes.
Changes the account and reports the change to the platform, which starts and ends workers."""
