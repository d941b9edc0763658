# tests that belong to no single layer
