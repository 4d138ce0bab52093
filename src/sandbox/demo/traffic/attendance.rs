//! People clocking in and out: the employees kept free by the load, and no others.

use std::time::Duration;

use crate::dialect::postgres::owner::Owner;
use crate::engine::model::error::Result;
use crate::sandbox::demo::traffic::app::{Application, Dice};

/// An employee's last event, against the office's clock. Near midnight nothing new begins: a break open
/// over midnight would be a finding of yesterday until somebody closed it.
const STATE: &str = "
    WITH office AS (SELECT clock_timestamp() AT TIME ZONE 'Asia/Kolkata' AS now)
    SELECT e.id::text, last.event_type::text,
           (last.event_timestamp_ist::date = office.now::date)::text, (office.now::time >= '23:50')::text
    FROM office CROSS JOIN (SELECT id FROM employees WHERE slack_user_id LIKE 'ULIVE%'
                            ORDER BY slack_user_id OFFSET $1::int LIMIT 1) AS e
    LEFT JOIN LATERAL (SELECT event_type, event_timestamp_ist FROM attendance_events a WHERE a.employee_id = e.id
                       ORDER BY event_timestamp_utc DESC, created_at DESC, id DESC LIMIT 1) AS last ON true";

const INSERT: &str = "
    INSERT INTO attendance_events (employee_id, event_type, event_timestamp_utc, payload)
    VALUES ($1::uuid, $2::attendance_event_type, clock_timestamp(), '{\"source\": \"slack\"}')";

/// Reported afterwards and in one piece: an open lunch would be a finding.
const LUNCH: &str = "
    INSERT INTO attendance_events (employee_id, event_type, event_timestamp_utc, payload)
    SELECT $1::uuid, lunch.type::attendance_event_type, lunch.at, '{\"source\": \"slack\"}'
    FROM (SELECT max(event_timestamp_utc) AS began, clock_timestamp() AS now
          FROM attendance_events WHERE employee_id = $1::uuid) AS day
    CROSS JOIN LATERAL (VALUES ('LUNCH_START', began + (now - began) / 2), ('LUNCH_END', now)) AS lunch (type, at)";

/// Yesterday's shift, closed in the last seconds of its own day, its break first.
const CLOSE: &str = "
    INSERT INTO attendance_events (employee_id, event_type, event_timestamp_utc, payload)
    SELECT $1::uuid, closing.type, (last.event_timestamp_ist::date + closing.at) AT TIME ZONE 'Asia/Kolkata',
           '{\"source\": \"closing\"}'
    FROM (SELECT event_type, event_timestamp_ist FROM attendance_events WHERE employee_id = $1::uuid
          ORDER BY event_timestamp_utc DESC, created_at DESC, id DESC LIMIT 1) AS last
    CROSS JOIN (VALUES ('BREAK_END'::attendance_event_type, time '23:59:50'), ('CLOCK_OUT', '23:59:55'))
      AS closing (type, at)
    WHERE closing.type = 'CLOCK_OUT' OR last.event_type = 'BREAK_START'";

#[derive(Debug)]
pub(super) struct Office {
    dice: Dice,
}

impl Default for Office {
    fn default() -> Self {
        Self { dice: Dice(17) }
    }
}

impl Application for Office {
    const DATABASE: &'static str = "hithonix";
    const PAUSE: Duration = Duration::from_millis(400);

    async fn step(&mut self, owner: &mut Owner) -> Result<()> {
        let chosen = self.dice.roll(8).to_string();
        let rows = owner.fetch_text(STATE, &[&chosen]).await?;
        let Some([Some(employee), last, today, Some(late)]) = rows.first().and_then(|row| row.first_chunk())
        else {
            return Ok(());
        };
        let (today, late) = (today.as_deref() == Some("true"), late == "true");
        match next(last.as_deref(), today, late, self.dice.roll(6)) {
            Next::Nothing => Ok(()),
            Next::Close => owner.execute(CLOSE, &[employee]).await.map(drop),
            Next::Lunch => owner.execute(LUNCH, &[employee]).await.map(drop),
            Next::Event(kind) => owner.execute(INSERT, &[employee, kind]).await.map(drop),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Next {
    Nothing,
    Close,
    Lunch,
    Event(&'static str),
}

fn next(last: Option<&str>, today: bool, late: bool, dice: u64) -> Next {
    match (last, today, late) {
        (None | Some("CLOCK_OUT"), false, false) => Next::Event("CLOCK_IN"),
        (None | Some("CLOCK_OUT"), ..) => Next::Nothing,
        (_, false, _) => Next::Close,
        (Some("BREAK_START"), ..) => Next::Event("BREAK_END"),
        (_, _, true) => Next::Event("CLOCK_OUT"),
        _ if dice == 0 => Next::Lunch,
        _ => Next::Event("BREAK_START"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_whole() {
        assert_eq!(next(None, false, false, 1), Next::Event("CLOCK_IN"));
        assert_eq!(next(Some("CLOCK_OUT"), true, false, 1), Next::Nothing);
        assert_eq!(next(Some("CLOCK_OUT"), false, true, 1), Next::Nothing);
        assert_eq!(next(Some("BREAK_START"), false, false, 1), Next::Close);
        assert_eq!(next(Some("BREAK_START"), true, true, 1), Next::Event("BREAK_END"));
        assert_eq!(next(Some("BREAK_END"), true, true, 0), Next::Event("CLOCK_OUT"));
        assert_eq!(next(Some("CLOCK_IN"), true, false, 0), Next::Lunch);
        assert_eq!(next(Some("LUNCH_END"), true, false, 3), Next::Event("BREAK_START"));
    }
}
