"""Equipment that tests share: certificates, Puppet's files, faults, DNS, a Choria broker, nats-servers."""
