-- The invented core system 基幹系 of 架空区. It is made afresh by every load; the loader refuses when a schema
-- of these names exists without the comment set below. Keys are in core_system_keys.sql, set once the rows are in.
--   kaigo    what the section works with, including what must never leave it
--   export   what the product may read: one view a notice, and the figures it is proved by

DROP SCHEMA IF EXISTS export CASCADE;
DROP SCHEMA IF EXISTS kaigo CASCADE;

CREATE SCHEMA kaigo;
CREATE SCHEMA export;
COMMENT ON SCHEMA kaigo IS 'synthetic_ward: 架空の基幹系';
COMMENT ON SCHEMA export IS 'synthetic_ward: 架空の基幹系の外部提供';
REVOKE ALL ON SCHEMA kaigo, export FROM PUBLIC;

CREATE TABLE kaigo.household (
    household_no    text NOT NULL CHECK (household_no ~ '^\d{10}$'),
    postcode        text NOT NULL CHECK (postcode ~ '^\d{7}$'),
    address         text NOT NULL,
    address_detail  text NOT NULL                       -- 方書, '' where there is none
);

-- 送付先: only registered addressees; everybody else receives at home under the own 宛名番号.
CREATE TABLE kaigo.recipient (
    recipient_id     text NOT NULL CHECK (recipient_id ~ '^\d{10}$'),
    recipient_kind   text NOT NULL CHECK (recipient_kind IN ('family', 'guardian', 'facility')),
    share_envelope   boolean NOT NULL,                  -- 担当課の同封承認
    postcode         text NOT NULL CHECK (postcode ~ '^\d{7}$'),
    address          text NOT NULL,
    address_detail   text NOT NULL,
    recipient_name   text NOT NULL,
    recipient_suffix text NOT NULL
);

CREATE TABLE kaigo.insured_person (
    insured_no          text NOT NULL CHECK (insured_no ~ '^\d{10}$'),
    household_no        text NOT NULL CHECK (household_no ~ '^\d{10}$'),
    own_recipient_id    text NOT NULL CHECK (own_recipient_id ~ '^\d{10}$'),       -- 本人の宛名番号
    recipient_id        text CHECK (recipient_id ~ '^\d{10}$'),
    support_measure     text NOT NULL CHECK (support_measure IN ('none', 'confirmed', 'unconfirmed')),  -- 支援措置
    insured_name        text NOT NULL,
    insured_kana        text NOT NULL,
    birth_date          date NOT NULL,
    acquired_on         date NOT NULL,
    lost_on             date,
    excluded_reason     text CHECK (excluded_reason IN ('lost', 'exempt_facility', 'second_category')),
    pension_payer       text NOT NULL CHECK (pension_payer ~ '^\d{3}$'),
    -- never exported
    individual_no       text NOT NULL CHECK (individual_no ~ '^9999\d{8}$'),  -- 個人番号 (見ればわかる偽物)
    bank_account        text NOT NULL,
    medical_remark      text NOT NULL
);

-- 賦課決定: of July, of August's newcomers, of August's changes. Acquired and lost as known when it was decided.
CREATE TABLE kaigo.assessment (
    notice_no           text NOT NULL CHECK (notice_no ~ '^\d{11}$'),
    notice              text NOT NULL,                  -- by which notice the decision is told
    batch_no            text NOT NULL,
    insured_no          text NOT NULL CHECK (insured_no ~ '^\d{10}$'),
    fiscal_year         smallint NOT NULL,
    acquired_on         date NOT NULL,
    lost_on             date,
    stage               smallint NOT NULL,
    months              smallint NOT NULL,
    stage_annual_yen    integer NOT NULL,
    threshold_yen       integer NOT NULL,               -- 判定に使った所得の基準額
    annual_yen          integer NOT NULL,
    collection_method   text NOT NULL CHECK (collection_method IN ('ordinary', 'special', 'mixed')),
    special_total_yen   integer NOT NULL
);

CREATE TABLE kaigo.assessment_change (
    notice_no           text NOT NULL CHECK (notice_no ~ '^\d{11}$'),
    before_annual_yen   integer NOT NULL,
    change_reason       text NOT NULL CHECK (change_reason IN ('income', 'moved_in', 'age_65', 'lost', 'exempted')),
    changed_on          date NOT NULL
);

-- 普通徴収の期別, with what the collection system 収納 will print into each slip's barcode.
CREATE TABLE kaigo.collection (
    notice_no           text NOT NULL CHECK (notice_no ~ '^\d{11}$'),
    payment_means       text NOT NULL CHECK (payment_means IN ('slip', 'account')),
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
    first_due_on        date NOT NULL,
    payment_no          text NOT NULL CHECK (payment_no ~ '^\d{11}$'),
    slip_07             integer NOT NULL,
    slip_08             integer NOT NULL,
    slip_09             integer NOT NULL,
    slip_10             integer NOT NULL,
    slip_11             integer NOT NULL,
    slip_12             integer NOT NULL,
    slip_01             integer NOT NULL,
    slip_02             integer NOT NULL,
    slip_03             integer NOT NULL
);

-- 特別徴収の期別, with what was notified to the pension body 特別徴収依頼.
CREATE TABLE kaigo.special_collection (
    notice_no            text NOT NULL CHECK (notice_no ~ '^\d{11}$'),
    special_04           integer NOT NULL,
    special_06           integer NOT NULL,
    special_08           integer NOT NULL,
    special_10           integer NOT NULL,
    special_12           integer NOT NULL,
    special_02           integer NOT NULL,
    pension_file_yen     integer NOT NULL,
    special_starts_month smallint NOT NULL
);

CREATE TABLE kaigo.provisional_notice (
    notice_no             text NOT NULL CHECK (notice_no ~ '^\d{11}$'),
    batch_no              text NOT NULL,
    insured_no            text NOT NULL CHECK (insured_no ~ '^\d{10}$'),
    special_04            integer NOT NULL,
    special_06            integer NOT NULL,
    special_08            integer NOT NULL,
    last_february_yen     integer NOT NULL,
    smoothed              boolean NOT NULL,             -- 平準化
    provisional_total_yen integer NOT NULL,
    pension_file_yen      integer NOT NULL
);

CREATE TABLE kaigo.reminder (
    notice_no       text NOT NULL CHECK (notice_no ~ '^\d{11}$'),
    batch_no        text NOT NULL,
    insured_no      text NOT NULL CHECK (insured_no ~ '^\d{10}$'),
    levied_year     smallint NOT NULL,
    instalment      smallint NOT NULL,
    due_on          date NOT NULL,
    payable_yen     integer NOT NULL,
    paid_yen        integer NOT NULL,
    overdue_yen     integer NOT NULL,
    paid_checked_at timestamptz NOT NULL,               -- 収納の消込済みの時点
    paid_since_yen  integer NOT NULL,                   -- その後に入った額
    account_pending boolean NOT NULL,                   -- 口座振替の結果待ち
    payment_no      text NOT NULL CHECK (payment_no ~ '^\d{11}$'),
    pay_by_on       date NOT NULL
);

CREATE TABLE kaigo.demand_notice (
    notice_no            text NOT NULL CHECK (notice_no ~ '^\d{11}$'),
    batch_no             text NOT NULL,
    insured_no           text NOT NULL CHECK (insured_no ~ '^\d{10}$'),
    oldest_due_on        date NOT NULL,
    overdue_count        smallint NOT NULL,
    overdue_total_yen    integer NOT NULL,
    reminder_sent_on     date NOT NULL,
    instalment_agreement boolean NOT NULL,              -- 分納誓約中
    paid_checked_at      timestamptz NOT NULL,
    paid_since_yen       integer NOT NULL,
    payment_no           text NOT NULL CHECK (payment_no ~ '^\d{11}$'),
    pay_by_on            date NOT NULL
);

-- 件数照合の基準: written by the runs themselves, never counted from the views they are compared with.
CREATE TABLE kaigo.control_total (
    batch_no    text NOT NULL,
    notice      text NOT NULL,
    as_of       timestamptz NOT NULL,
    persons     integer NOT NULL
);

CREATE TABLE kaigo.control_amount (
    batch_no    text NOT NULL,
    notice      text NOT NULL,
    item        text NOT NULL,
    total_yen   bigint NOT NULL
);

CREATE TABLE kaigo.last_year_count (
    notice      text NOT NULL,
    fiscal_year smallint NOT NULL,
    item        text NOT NULL,
    value       text NOT NULL,
    persons     integer NOT NULL
);

CREATE TABLE kaigo.population (
    batch_no    text NOT NULL,
    notice      text NOT NULL,
    category    text NOT NULL,                          -- insured, ordinary, special, mixed, excluded:<reason>
    persons     integer NOT NULL
);

-- 異動リスト: what happened to people after the run.
CREATE TABLE kaigo.difference (
    batch_no         text NOT NULL,
    notice           text NOT NULL,
    notice_no        text NOT NULL CHECK (notice_no ~ '^\d{11}$'),
    reason           text NOT NULL CHECK (reason IN ('death', 'moved_out', 'recipient_changed')),
    noted_at         timestamptz NOT NULL,
    recipient_kind   text,
    postcode         text,
    address          text,
    address_detail   text,
    recipient_name   text,
    recipient_suffix text
);

CREATE VIEW kaigo.addressee AS
SELECT p.insured_no,
       p.insured_name,
       p.insured_kana,
       p.birth_date,
       p.household_no,
       coalesce(r.recipient_id, p.own_recipient_id)  AS recipient_id,
       coalesce(r.recipient_kind, 'self')            AS recipient_kind,
       coalesce(r.share_envelope, false)             AS share_envelope,
       p.support_measure,
       coalesce(r.postcode, h.postcode)              AS postcode,
       coalesce(r.address, h.address)                AS address,
       coalesce(r.address_detail, h.address_detail)  AS address_detail,
       coalesce(r.recipient_name, p.insured_name)    AS recipient_name,
       coalesce(r.recipient_suffix, '様')            AS recipient_suffix,
       p.pension_payer
  FROM kaigo.insured_person p
  JOIN kaigo.household h USING (household_no)
  LEFT JOIN kaigo.recipient r ON r.recipient_id = p.recipient_id;

-- security_barrier: a reader's own function in WHERE must not see the rows left out here.
CREATE VIEW export.premium_notice_ordinary WITH (security_barrier) AS
SELECT d.batch_no,
       notice_no,
       p.insured_no, p.insured_name, p.insured_kana, p.birth_date, p.household_no,
       p.recipient_id, p.recipient_kind, p.share_envelope, p.support_measure,
       p.postcode, p.address, p.address_detail, p.recipient_name, p.recipient_suffix,
       d.acquired_on, d.lost_on, d.stage, d.months, d.stage_annual_yen, d.threshold_yen, d.annual_yen,
       d.collection_method, c.payment_means, c.ordinary_total_yen,
       c.instalment_07, c.instalment_08, c.instalment_09, c.instalment_10, c.instalment_11, c.instalment_12,
       c.instalment_01, c.instalment_02, c.instalment_03,
       d.special_total_yen, c.first_due_on, c.payment_no,
       c.slip_07, c.slip_08, c.slip_09, c.slip_10, c.slip_11, c.slip_12, c.slip_01, c.slip_02, c.slip_03
  FROM kaigo.assessment d
  JOIN kaigo.collection c USING (notice_no)
  JOIN kaigo.addressee p USING (insured_no)
 WHERE d.notice = 'premium_notice_ordinary';

CREATE VIEW export.premium_notice_special WITH (security_barrier) AS
SELECT d.batch_no,
       notice_no,
       p.insured_no, p.insured_name, p.insured_kana, p.birth_date, p.household_no,
       p.recipient_id, p.recipient_kind, p.share_envelope, p.support_measure,
       p.postcode, p.address, p.address_detail, p.recipient_name, p.recipient_suffix,
       d.acquired_on, d.lost_on, d.stage, d.months, d.stage_annual_yen, d.threshold_yen, d.annual_yen,
       d.collection_method,
       s.special_04, s.special_06, s.special_08, s.special_10, s.special_12, s.special_02,
       d.special_total_yen, p.pension_payer, s.pension_file_yen, s.special_starts_month
  FROM kaigo.assessment d
  JOIN kaigo.special_collection s USING (notice_no)
  JOIN kaigo.addressee p USING (insured_no)
 WHERE d.notice = 'premium_notice_special';

CREATE VIEW export.provisional_notice WITH (security_barrier) AS
SELECT s.batch_no,
       s.notice_no,
       p.insured_no, p.insured_name, p.insured_kana, p.birth_date, p.household_no,
       p.recipient_id, p.recipient_kind, p.share_envelope, p.support_measure,
       p.postcode, p.address, p.address_detail, p.recipient_name, p.recipient_suffix,
       s.special_04, s.special_06, s.special_08, s.last_february_yen, s.smoothed, s.provisional_total_yen,
       p.pension_payer, s.pension_file_yen
  FROM kaigo.provisional_notice s
  JOIN kaigo.addressee p USING (insured_no);

CREATE VIEW export.premium_change_notice WITH (security_barrier) AS
SELECT d.batch_no,
       notice_no,
       p.insured_no, p.insured_name, p.insured_kana, p.birth_date, p.household_no,
       p.recipient_id, p.recipient_kind, p.share_envelope, p.support_measure,
       p.postcode, p.address, p.address_detail, p.recipient_name, p.recipient_suffix,
       d.acquired_on, d.lost_on, d.stage, d.months, d.stage_annual_yen, d.threshold_yen, d.annual_yen,
       b.before_annual_yen, b.change_reason, b.changed_on,
       d.collection_method, c.payment_means, c.ordinary_total_yen,
       c.instalment_07, c.instalment_08, c.instalment_09, c.instalment_10, c.instalment_11, c.instalment_12,
       c.instalment_01, c.instalment_02, c.instalment_03,
       d.special_total_yen, c.first_due_on, c.payment_no,
       c.slip_07, c.slip_08, c.slip_09, c.slip_10, c.slip_11, c.slip_12, c.slip_01, c.slip_02, c.slip_03
  FROM kaigo.assessment d
  JOIN kaigo.assessment_change b USING (notice_no)
  JOIN kaigo.collection c USING (notice_no)
  JOIN kaigo.addressee p USING (insured_no)
 WHERE d.notice = 'premium_change_notice';

CREATE VIEW export.reminder WITH (security_barrier) AS
SELECT o.batch_no,
       o.notice_no,
       p.insured_no, p.insured_name, p.insured_kana, p.birth_date, p.household_no,
       p.recipient_id, p.recipient_kind, p.share_envelope, p.support_measure,
       p.postcode, p.address, p.address_detail, p.recipient_name, p.recipient_suffix,
       o.levied_year, o.instalment, o.due_on, o.payable_yen, o.paid_yen, o.overdue_yen,
       o.paid_checked_at, o.paid_since_yen, o.account_pending, o.payment_no, o.pay_by_on
  FROM kaigo.reminder o
  JOIN kaigo.addressee p USING (insured_no);

CREATE VIEW export.demand_notice WITH (security_barrier) AS
SELECT o.batch_no,
       o.notice_no,
       p.insured_no, p.insured_name, p.insured_kana, p.birth_date, p.household_no,
       p.recipient_id, p.recipient_kind, p.share_envelope, p.support_measure,
       p.postcode, p.address, p.address_detail, p.recipient_name, p.recipient_suffix,
       o.oldest_due_on, o.overdue_count, o.overdue_total_yen, o.reminder_sent_on, o.instalment_agreement,
       o.paid_checked_at, o.paid_since_yen, o.payment_no, o.pay_by_on
  FROM kaigo.demand_notice o
  JOIN kaigo.addressee p USING (insured_no);

CREATE VIEW export.control_total AS
SELECT batch_no, notice, as_of, persons FROM kaigo.control_total;

CREATE VIEW export.control_amount AS
SELECT batch_no, notice, item, total_yen FROM kaigo.control_amount;

CREATE VIEW export.last_year_count AS
SELECT notice, fiscal_year, item, value, persons FROM kaigo.last_year_count;

CREATE VIEW export.population AS
SELECT batch_no, notice, category, persons FROM kaigo.population;

CREATE VIEW export.difference AS
SELECT batch_no, notice, notice_no, reason, noted_at, recipient_kind, postcode, address, address_detail,
       recipient_name, recipient_suffix
  FROM kaigo.difference;

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
