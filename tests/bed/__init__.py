"""What the tests connect to: certificates, Puppet's files, faults, DNS, a Choria broker, all kinds of nats-servers."""
