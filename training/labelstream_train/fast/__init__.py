"""The fast tier: vectors of tokens and n-grams and a linear head, for streams too fast for an encoder."""
