"""Numbered lines at a steady pace, nearly without computing: to try out all around a payload."""
