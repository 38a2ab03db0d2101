"""Everything that talks to something: PostgreSQL, blob storage, Service Bus, the network."""
