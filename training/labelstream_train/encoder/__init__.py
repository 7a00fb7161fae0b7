"""The encoder tier: a BERT-like network, fine-tuned with torch, written as ONNX."""
