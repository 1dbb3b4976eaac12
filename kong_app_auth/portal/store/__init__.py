"""The portal's database: records, transactions and migrations, on SQLite and on PostgreSQL."""
