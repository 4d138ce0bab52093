//! Migrations: every kind of history, in every state.

mod histories;
