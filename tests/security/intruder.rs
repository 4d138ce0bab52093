//! Who may write into the journal and wants more: a role with exactly what `init --set operators=ROLE` grants, a key of
//! its own or one that it has stolen, and the program's own way to write entries.

use std::path::Path;

use midwatch::engine::model::event::Event;
use midwatch::engine::model::installation::{EntrySignature, Installation, fingerprint, replacement_text};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::desk::Desk;

const AT: &str = "2026-11-30T00:00:00.000000Z";

pub(crate) struct Key {
    pair: Ed25519KeyPair,
    public: String,
    pub(crate) fingerprint: String,
}

impl Key {
    pub(crate) fn new() -> Self {
        Self::of(Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap().as_ref())
    }

    /// Of a file that was copied.
    pub(crate) fn stolen(path: &Path) -> Self {
        Self::of(&std::fs::read(path).unwrap())
    }

    fn of(bytes: &[u8]) -> Self {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(bytes).unwrap();
        let public_key = hex::encode(pair.public_key().as_ref());
        Self { fingerprint: fingerprint(&public_key).unwrap(), public: public_key, pair }
    }

    fn sign(&self, text: &str) -> String {
        hex::encode(self.pair.sign(text.as_bytes()).as_ref())
    }

    /// Its signature of an entry with this hash.
    pub(crate) fn entry(&self, target: &str, counter: i64, hash: &str) -> String {
        let (by, signature) = (self.fingerprint.clone(), String::new());
        self.sign(&EntrySignature { by, target: target.into(), counter, signature }.text(hash))
    }
}

pub(crate) struct Intruder<'d> {
    desk: &'d Desk,
    role: String,
}

impl<'d> Intruder<'d> {
    /// Admitted as an operator is.
    pub(crate) async fn admitted(desk: &'d Desk) -> Self {
        let role = format!("oncall_{}", desk.value("select current_database()").await);
        desk.sql(&format!("create role \"{role}\" login")).await;
        desk.applied("operators.json", &["plan", "init", "--set", &format!("operators={role}")]);
        Self { desk, role }
    }

    pub(crate) fn role(&self) -> &str {
        &self.role
    }

    /// As that role.
    pub(crate) async fn sql(&self, sql: &str) {
        self.desk.sql(&format!("set role \"{}\"; {sql}; reset role", self.role)).await;
    }

    /// Why the server does not do this for that role.
    pub(crate) async fn refused(&self, sql: &str) -> String {
        let mut owner = self.desk.owner().await;
        let done = owner.execute_script(&format!("set role \"{}\"; {sql}", self.role)).await;
        owner.close().await;
        done.unwrap_err().to_string()
    }

    /// Lists a key, under a name; `replaces`: as the one that came after another, with that one's signature.
    pub(crate) async fn list(&self, key: &Key, name: &str, replaces: Option<&Key>) {
        let told = Installation {
            fingerprint: key.fingerprint.clone(),
            public_key: key.public.clone(),
            name: name.into(),
            first_seen: AT.into(),
            replaces: replaces.map(|old| old.fingerprint.clone()),
            proof: replaces.map(|old| old.sign(&replacement_text(&old.fingerprint, &key.public))),
            signature: String::new(),
        };
        let or = |t: &Option<String>| t.as_ref().map_or_else(|| "null".into(), |t| format!("'{t}'"));
        self.sql(&format!(
            "insert into midwatch.installations (fingerprint, public_key, name, first_seen, replaces, proof, signature)
             values ('{}', '{}', '{name}', '{AT}', {}, {}, '{}')",
            told.fingerprint,
            told.public_key,
            or(&told.replaces),
            or(&told.proof),
            key.sign(&told.text())
        ))
        .await;
    }

    /// The next number of a key.
    pub(crate) async fn counter(&self, key: &Key) -> i64 {
        let sql = "select coalesce(max(counter), 0) + 1 from midwatch.events where installation = ";
        let next = format!("select ({sql}'{}')::text", key.fingerprint);
        self.desk.value(&next).await.parse().unwrap()
    }

    /// The next entry of the chain, signed with a key; `by`: whose it says that it is.
    pub(crate) async fn entry(
        &self,
        (key, by, counter): (&Key, &str, i64),
        run: Option<&str>,
        kind: &str,
        body: &Value,
    ) {
        let head = self.desk.value("select seq || ' ' || hash from midwatch.head").await;
        let (seq, prev) = head.split_once(' ').unwrap();
        let mut event = Event {
            seq: seq.parse::<i64>().unwrap() + 1,
            at: AT.into(),
            run: run.map(str::to_owned),
            kind: kind.into(),
            body: body.to_string(),
            prev: prev.into(),
            hash: String::new(),
            signed: None,
        };
        event.hash = event.computed_hash();
        let target =
            "select signed_for from midwatch.events where signed_for is not null order by seq desc limit 1";
        let mut signed = EntrySignature {
            by: by.into(),
            target: self.desk.value(target).await,
            counter,
            signature: String::new(),
        };
        signed.signature = key.sign(&signed.text(&event.hash));
        self.sql(&format!(
            "insert into midwatch.events (seq, at, run, kind, body, prev, hash, installation, signed_for, counter, signature)
             values ({0}, '{AT}', {1}, '{kind}', $body${2}$body$, '{3}', '{4}', '{5}', '{6}', {7}, '{8}');
             update midwatch.head set seq = {0}, hash = '{4}'",
            event.seq, run.unwrap_or("null"), event.body, event.prev, event.hash,
            signed.by, signed.target, signed.counter, signed.signature
        ))
        .await;
    }

    /// The next entry of a key.
    pub(crate) async fn writes(&self, key: &Key, run: Option<&str>, kind: &str, body: &Value) {
        let counter = self.counter(key).await;
        self.entry((key, &key.fingerprint, counter), run, kind, body).await;
    }

    /// Makes a run look interrupted before its first row: an empty batch, an outcome, and the run's row to match them.
    pub(crate) async fn reopens(&self, key: &Key, run: &str) {
        let batch =
            self.desk.value(&format!("select (batch + 1)::text from midwatch.runs where id = {run}")).await;
        let empty = format!("0:blocks:sha256:{}", hex::encode(Sha256::digest(b"")));
        let batch: u64 = batch.parse().unwrap();
        let body = json!({ "step": 0, "batch": batch, "from": 1, "to": 0, "applied": 0, "drifted": 0, "images": empty, "ms": 1 });
        self.writes(key, Some(run), "batch", &body).await;
        let outcome = json!({ "outcome": "failed", "resumable": true, "verified": null, "message": null });
        self.writes(key, Some(run), "outcome", &outcome).await;
        self.sql(&format!(
            "update midwatch.runs set outcome = 'failed', resumable = true, verified = null, message = null, batch_rows = null,
             ended_at = null, batch = {batch}, step = 0, checkpoint = 0 where id = {run}"
        ))
        .await;
    }
}
