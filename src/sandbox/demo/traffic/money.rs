//! The hotel's application: it books, corrects, approves and deletes, on the legacy tables only.

use std::{collections::VecDeque, time::Duration};

use crate::dialect::postgres::owner::Owner;
use crate::engine::model::error::Result;
use crate::sandbox::demo::traffic::app::{Application, Dice};

/// An organisation the load does not use.
const ORGANISATION: &str = "9001";
const REMEMBERED: usize = 200;

const BALANCE: &str = "
    INSERT INTO daily_cash_balances (org_id, property_id, balance_date, opening_balance_cents, cash_received_cents,
                                     closing_balance_cents)
    VALUES ($1::int, $1::int * 10 + $2::int % 4, (now() AT TIME ZONE 'UTC')::date, 10000, $2::int, 10000 + $2::int)
    ON CONFLICT (org_id, property_id, balance_date) DO UPDATE
    SET cash_received_cents = EXCLUDED.cash_received_cents, closing_balance_cents = EXCLUDED.closing_balance_cents,
        updated_at = now()";

#[derive(Debug)]
pub(super) struct Hotel {
    dice: Dice,
    revenues: VecDeque<String>,
    expenses: VecDeque<String>,
}

impl Default for Hotel {
    fn default() -> Self {
        Self { dice: Dice(5), revenues: VecDeque::new(), expenses: VecDeque::new() }
    }
}

impl Application for Hotel {
    const DATABASE: &'static str = "hospitality";
    const PAUSE: Duration = Duration::from_millis(250);

    async fn step(&mut self, owner: &mut Owner) -> Result<()> {
        let amount = (1_000 + self.dice.roll(90_000)).to_string();
        if self.dice.roll(8) == 0 {
            return owner.execute(BALANCE, &[ORGANISATION, &amount]).await.map(drop);
        }
        let (table, own) = match self.dice.roll(2) {
            0 => ("revenues", &mut self.revenues),
            _ => ("expenses", &mut self.expenses),
        };
        let action = self.dice.roll(10);
        if action < 5 || own.is_empty() {
            return insert(owner, table, own, &amount).await;
        }
        let place = usize::try_from(self.dice.roll(own.len() as u64)).unwrap_or(0);
        let id = own[place].clone();
        let change = match action {
            5 | 6 => "status = 'approved', approved_at = now() AT TIME ZONE 'UTC', approved_by_user_id = 3",
            7 => "amount_cents = amount_cents + 1, description = NULL",
            // The partition key: the twin's row moves.
            8 => "occurred_at = occurred_at - interval '1 hour'",
            _ => {
                own.remove(place);
                return owner
                    .execute(&format!("DELETE FROM {table} WHERE id = $1::int"), &[&id])
                    .await
                    .map(drop);
            }
        };
        let sql =
            format!("UPDATE {table} SET {change}, updated_at = now() AT TIME ZONE 'UTC' WHERE id = $1::int");
        owner.execute(&sql, &[&id]).await.map(drop)
    }
}

async fn insert(owner: &mut Owner, table: &str, own: &mut VecDeque<String>, amount: &str) -> Result<()> {
    let sql = format!(
        "INSERT INTO {table} (org_id, property_id, amount_cents, occurred_at, description, category, payment_method, \
         created_by_user_id) VALUES ($1::int, $1::int * 10, $2::int, clock_timestamp() AT TIME ZONE 'UTC', \
         'Walk-in', 'other', 'card', 3) RETURNING id::text"
    );
    own.extend(owner.fetch_value(&sql, &[ORGANISATION, amount]).await?);
    if own.len() > REMEMBERED {
        own.pop_front();
    }
    Ok(())
}
