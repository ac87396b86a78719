"""Speak to endpoints that generate: OpenAI, Azure OpenAI, compatible servers, and the emulator."""
