"""The job contract: input, report and failure as types, and their published JSON Schemas."""
