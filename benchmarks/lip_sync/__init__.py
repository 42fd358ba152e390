"""The network that compares lips with sound: taught, and measured on people that it has not seen."""
