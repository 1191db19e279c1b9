"""The protocol both sides speak: messages, frames, signatures; imports nothing of the house."""
