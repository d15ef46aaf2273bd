"""What the tests stand on: the demo, a receiver, the shop's backend as a process, mutations."""
