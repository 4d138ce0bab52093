//! Unrestricted sessions, for servers that this process itself started.
