//! When maintenance is allowed, and how much of it is left.

/// Maintenance is allowed now, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// None is declared.
    Always,
    /// Open for so many minutes.
    Open(u32),
    /// Closed for so many minutes.
    Closed(u32),
}

impl Window {
    /// At a minute of the UTC day; from and to, which may run over midnight.
    pub fn at(span: Option<(u32, u32)>, minute: u32) -> Self {
        let Some((start, end)) = span else { return Self::Always };
        let until = |to: u32| (to + 1440 - minute) % 1440;
        let (length, since) = ((end + 1440 - start) % 1440, (minute + 1440 - start) % 1440);
        if since < length { Self::Open(until(end)) } else { Self::Closed(until(start)) }
    }
}
