"""The fast tier: hashed features and a linear head, for streams that an encoder cannot keep up with."""
