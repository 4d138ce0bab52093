//! The demo: private servers with copies of the systems, data, planted problems and traffic.
