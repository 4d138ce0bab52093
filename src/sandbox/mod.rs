//! Private throwaway servers: the demo, the tests and (later) rehearsals all use them.
