"""Light simulated agents, a thousand in a process, speaking the real protocol to a real server."""
