"""Tests of conversations that outlive a swap."""
