-- The ledger's table and its guards. Run as the database's owner; running it twice changes nothing.
-- The chain is checked by the database itself when an entry arrives, so that no writer can break it.
-- ledger_owner owns everything and cannot log in; ledger_writer may read and append; ledger_reader may read.

DO $$ BEGIN
    CREATE ROLE ledger_owner NOLOGIN;
EXCEPTION WHEN duplicate_object THEN NULL; END $$;
DO $$ BEGIN
    CREATE ROLE ledger_writer NOLOGIN;
EXCEPTION WHEN duplicate_object THEN NULL; END $$;
DO $$ BEGIN
    CREATE ROLE ledger_reader NOLOGIN;
EXCEPTION WHEN duplicate_object THEN NULL; END $$;

CREATE SCHEMA IF NOT EXISTS ledger AUTHORIZATION ledger_owner;

CREATE TABLE IF NOT EXISTS ledger.entry (
    seq     bigint PRIMARY KEY CHECK (seq > 0),
    cycle   text,
    kind    text NOT NULL,
    follows text,
    body    text NOT NULL,   -- RFC 8785 canonical JSON; its SHA-256 is the digest
    digest  text NOT NULL UNIQUE
);
ALTER TABLE ledger.entry OWNER TO ledger_owner;
CREATE INDEX IF NOT EXISTS entry_cycle ON ledger.entry (cycle, seq);
CREATE INDEX IF NOT EXISTS entry_kind ON ledger.entry (kind, seq);

CREATE OR REPLACE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '証跡台帳は追記専用です（% は拒否されました）。訂正は新しい記録として追加してください。', TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE OR REPLACE FUNCTION ledger.check_entry() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last ledger.entry%ROWTYPE;
    said jsonb := NEW.body::jsonb;
BEGIN
    -- Writers append one after the other: the lock is the chain's order.
    PERFORM pg_advisory_xact_lock(7104);
    SELECT * INTO last FROM ledger.entry ORDER BY seq DESC LIMIT 1;
    IF NEW.seq <> COALESCE(last.seq, 0) + 1
       OR (said ->> 'seq')::bigint IS DISTINCT FROM NEW.seq
       OR said ->> 'previous' IS DISTINCT FROM last.digest
       OR said ->> 'cycle' IS DISTINCT FROM NEW.cycle
       OR said ->> 'kind' IS DISTINCT FROM NEW.kind
       OR said ->> 'follows' IS DISTINCT FROM NEW.follows
       OR NEW.digest IS DISTINCT FROM encode(sha256(convert_to(NEW.body, 'UTF8')), 'hex')
    THEN
        RAISE EXCEPTION '証跡台帳の連鎖に合わない記録です（seq %）。', NEW.seq USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

ALTER FUNCTION ledger.refuse_change() OWNER TO ledger_owner;
ALTER FUNCTION ledger.check_entry() OWNER TO ledger_owner;

CREATE OR REPLACE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON ledger.entry
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE OR REPLACE TRIGGER refuse_truncate BEFORE TRUNCATE ON ledger.entry
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE OR REPLACE TRIGGER check_entry BEFORE INSERT ON ledger.entry
    FOR EACH ROW EXECUTE FUNCTION ledger.check_entry();
-- Also under session_replication_role = replica, which would skip ordinary triggers.
ALTER TABLE ledger.entry ENABLE ALWAYS TRIGGER refuse_change;
ALTER TABLE ledger.entry ENABLE ALWAYS TRIGGER refuse_truncate;
ALTER TABLE ledger.entry ENABLE ALWAYS TRIGGER check_entry;

GRANT USAGE ON SCHEMA ledger TO ledger_writer, ledger_reader;
GRANT SELECT ON ledger.entry TO ledger_reader;
GRANT SELECT, INSERT ON ledger.entry TO ledger_writer;
