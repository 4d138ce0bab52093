//! Anomalies: what their fixes change, and what is left after the undo. What their checks find is in `planted`.

mod fix;
