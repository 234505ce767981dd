-- The invented core system 基幹系 of 架空区. It is made afresh by every load; the loader refuses when a schema
-- of these names exists without the comment set below.
--   kaigo    what the section works with, including what must never leave it
--   export   what the product may read: one view of notices, one of control totals

DROP SCHEMA IF EXISTS export CASCADE;
DROP SCHEMA IF EXISTS kaigo CASCADE;

CREATE SCHEMA kaigo;
CREATE SCHEMA export;
COMMENT ON SCHEMA kaigo IS 'synthetic_ward: 架空の基幹系';
COMMENT ON SCHEMA export IS 'synthetic_ward: 架空の基幹系の外部提供';
REVOKE ALL ON SCHEMA kaigo, export FROM PUBLIC;

CREATE TABLE kaigo.household (
    household_no    text PRIMARY KEY CHECK (household_no ~ '^\d{10}$'),
    postcode        text NOT NULL CHECK (postcode ~ '^\d{7}$'),
    address         text NOT NULL,
    address_detail  text NOT NULL                       -- 方書, '' where there is none
);

-- 送付先: only registered addressees; everybody else receives at home under the own 宛名番号.
CREATE TABLE kaigo.recipient (
    recipient_id     text PRIMARY KEY CHECK (recipient_id ~ '^\d{10}$'),
    recipient_kind   text NOT NULL CHECK (recipient_kind IN ('family', 'guardian', 'facility')),
    share_envelope   boolean NOT NULL,                  -- 担当課の同封承認
    postcode         text NOT NULL CHECK (postcode ~ '^\d{7}$'),
    address          text NOT NULL,
    address_detail   text NOT NULL,
    recipient_name   text NOT NULL,
    recipient_suffix text NOT NULL
);

CREATE TABLE kaigo.insured_person (
    insured_no          text PRIMARY KEY CHECK (insured_no ~ '^\d{10}$'),
    household_no        text NOT NULL REFERENCES kaigo.household,
    own_recipient_id    text NOT NULL UNIQUE,           -- 本人の宛名番号
    recipient_id        text REFERENCES kaigo.recipient,
    insured_name        text NOT NULL,
    insured_kana        text NOT NULL,
    birth_date          date NOT NULL,
    acquired_on         date NOT NULL,
    lost_on             date,
    -- never exported
    individual_no       text NOT NULL CHECK (individual_no ~ '^9999\d{8}$'),  -- 個人番号 (見ればわかる偽物)
    bank_account        text NOT NULL,
    medical_remark      text NOT NULL
);

CREATE TABLE kaigo.assessment (
    insured_no          text NOT NULL REFERENCES kaigo.insured_person,
    fiscal_year         smallint NOT NULL,
    batch_no            text NOT NULL,
    notice_no           text UNIQUE CHECK (notice_no ~ '^\d{11}$'),  -- NULL: pure special collection 特別徴収
    stage               smallint NOT NULL,
    months              smallint NOT NULL,
    stage_annual_yen    integer NOT NULL,
    annual_yen          integer NOT NULL,
    collection_method   text NOT NULL CHECK (collection_method IN ('ordinary', 'special', 'mixed')),
    ordinary_total_yen  integer NOT NULL,
    instalment_07       integer NOT NULL,
    instalment_08       integer NOT NULL,
    instalment_09       integer NOT NULL,
    instalment_10       integer NOT NULL,
    instalment_11       integer NOT NULL,
    instalment_12       integer NOT NULL,
    instalment_01       integer NOT NULL,
    instalment_02       integer NOT NULL,
    instalment_03       integer NOT NULL,
    special_total_yen   integer NOT NULL,
    first_due_on        date,
    as_of               timestamptz NOT NULL,
    PRIMARY KEY (insured_no, fiscal_year, batch_no),
    CHECK ((collection_method = 'special') = (notice_no IS NULL)),
    CHECK ((collection_method = 'special') = (first_due_on IS NULL))
);

-- 件数照合の基準: written by the assessment run itself, never counted from the view it is compared with.
CREATE TABLE kaigo.control_total (
    batch_no              text NOT NULL,
    notice                text NOT NULL,
    as_of                 timestamptz NOT NULL,
    persons               integer NOT NULL,
    annual_total_yen      bigint NOT NULL,
    instalment_total_yen  bigint NOT NULL,
    issued_at             timestamptz NOT NULL,
    PRIMARY KEY (batch_no, notice)
);

-- security_barrier: a reader's own function in WHERE must not see the special-collection rows left out here.
CREATE VIEW export.premium_notice_ordinary WITH (security_barrier) AS
SELECT a.batch_no,
       a.notice_no,
       p.insured_no,
       p.household_no,
       coalesce(r.recipient_id, p.own_recipient_id)  AS recipient_id,
       coalesce(r.recipient_kind, 'self')            AS recipient_kind,
       coalesce(r.share_envelope, false)             AS share_envelope,
       coalesce(r.postcode, h.postcode)              AS postcode,
       coalesce(r.address, h.address)                AS address,
       coalesce(r.address_detail, h.address_detail)  AS address_detail,
       coalesce(r.recipient_name, p.insured_name)    AS recipient_name,
       coalesce(r.recipient_suffix, '様')            AS recipient_suffix,
       p.insured_name,
       p.insured_kana,
       p.birth_date,
       p.acquired_on,
       p.lost_on,
       a.stage,
       a.months,
       a.stage_annual_yen,
       a.annual_yen,
       a.collection_method,
       a.ordinary_total_yen,
       a.instalment_07,
       a.instalment_08,
       a.instalment_09,
       a.instalment_10,
       a.instalment_11,
       a.instalment_12,
       a.instalment_01,
       a.instalment_02,
       a.instalment_03,
       a.special_total_yen,
       a.first_due_on,
       a.as_of
  FROM kaigo.assessment a
  JOIN kaigo.insured_person p USING (insured_no)
  JOIN kaigo.household h USING (household_no)
  LEFT JOIN kaigo.recipient r ON r.recipient_id = p.recipient_id
 WHERE a.collection_method IN ('ordinary', 'mixed');

CREATE VIEW export.control_total AS
SELECT batch_no, notice, as_of, persons, annual_total_yen, instalment_total_yen, issued_at
  FROM kaigo.control_total;

-- The product's login. No password here: how it proves itself is the server's pg_hba.conf.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'extractor') THEN
        CREATE ROLE extractor LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION;
        ALTER ROLE extractor SET default_transaction_read_only = on;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;  -- another load on the same server was quicker
END
$$;
GRANT USAGE ON SCHEMA export TO extractor;
GRANT SELECT ON ALL TABLES IN SCHEMA export TO extractor;
