"""What a request becomes: admitted, made or found, stored, addressed."""
