"""What passes between ward and contractor: the package's manifest, the contractor's messages, and their names."""
