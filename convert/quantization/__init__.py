"""int8 quantization computed in Keras: bias correction and fine-tuning."""
