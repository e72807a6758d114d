"""What the Cloudflare provider does not do for us: queries, migrations, emptying and placing buckets."""
