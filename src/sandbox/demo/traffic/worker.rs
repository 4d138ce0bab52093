//! The sync worker: pushes the free employees' events, sometimes in a second attempt.

use std::time::Duration;

use tokio::time::sleep;

use crate::dialect::postgres::owner::Owner;
use crate::engine::model::error::Result;
use crate::sandbox::demo::traffic::app::{Application, Dice};

/// `$1` is the state looked for, `$2` the least age of its last attempt in seconds.
const TAKE: &str = "
    UPDATE attendance_events SET sync_status = $3::attendance_sync_status, last_attempt_at = clock_timestamp()
    WHERE id = (SELECT a.id FROM attendance_events a JOIN employees e ON e.id = a.employee_id
                WHERE e.slack_user_id LIKE 'ULIVE%' AND a.sync_status = $1::attendance_sync_status
                  AND coalesce(a.last_attempt_at, '-infinity') < clock_timestamp() - $2::interval
                ORDER BY a.created_at LIMIT 1 FOR UPDATE OF a SKIP LOCKED)
    RETURNING id::text, attempt_count::text";

const SUCCEED: &str = "
    UPDATE attendance_events SET sync_status = 'SUCCESS', attempt_count = attempt_count + 1, keka_status_code = 200,
           keka_request_body = jsonb_build_object('punch', event_type), keka_response_body = '{\"succeeded\": true}',
           last_attempt_at = clock_timestamp()
    WHERE id = $1::uuid";

const FAIL: &str = "
    UPDATE attendance_events SET sync_status = 'FAILED', attempt_count = attempt_count + 1, keka_status_code = 503,
           keka_request_body = jsonb_build_object('punch', event_type),
           keka_response_body = jsonb_build_object('error', jsonb_build_object('message',
             'Service unavailable: request ' || gen_random_uuid() || ' failed upstream after 3004 ms')),
           last_attempt_at = clock_timestamp()
    WHERE id = $1::uuid";

#[derive(Debug)]
pub(super) struct Worker {
    dice: Dice,
}

impl Default for Worker {
    fn default() -> Self {
        Self { dice: Dice(41) }
    }
}

impl Application for Worker {
    const DATABASE: &'static str = "hithonix";
    const PAUSE: Duration = Duration::from_millis(300);

    async fn step(&mut self, owner: &mut Owner) -> Result<()> {
        // What failed is tried again; what a crash left in the middle, too.
        owner.execute(TAKE, &["FAILED", "2 s", "PENDING"]).await?;
        owner.execute(TAKE, &["PROCESSING", "20 s", "PENDING"]).await?;
        let taken = owner.fetch_text(TAKE, &["PENDING", "1 s", "PROCESSING"]).await?;
        let Some([Some(event), Some(attempts)]) = taken.first().and_then(|row| row.first_chunk()) else {
            return Ok(());
        };
        sleep(Duration::from_millis(80)).await;
        let fails = attempts == "0" && self.dice.roll(8) == 0;
        owner.execute(if fails { FAIL } else { SUCCEED }, &[event]).await.map(drop)
    }
}
