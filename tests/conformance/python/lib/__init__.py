"""What the tests stand on: a server, a shop and its buyers, a network that can fail, the SDK."""
