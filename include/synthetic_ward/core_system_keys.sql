-- Keys and references of the invented core system, set when its rows are in: one look over each table
-- instead of one for each row.

ALTER TABLE kaigo.household ADD PRIMARY KEY (household_no);
ALTER TABLE kaigo.recipient ADD PRIMARY KEY (recipient_id);
ALTER TABLE kaigo.insured_person
    ADD PRIMARY KEY (insured_no),
    ADD UNIQUE (own_recipient_id),
    ADD FOREIGN KEY (household_no) REFERENCES kaigo.household,
    ADD FOREIGN KEY (recipient_id) REFERENCES kaigo.recipient;
ALTER TABLE kaigo.assessment
    ADD PRIMARY KEY (notice_no),
    ADD UNIQUE (insured_no, fiscal_year, batch_no),
    ADD FOREIGN KEY (insured_no) REFERENCES kaigo.insured_person;
ALTER TABLE kaigo.assessment_change
    ADD PRIMARY KEY (notice_no), ADD FOREIGN KEY (notice_no) REFERENCES kaigo.assessment;
ALTER TABLE kaigo.collection
    ADD PRIMARY KEY (notice_no), ADD FOREIGN KEY (notice_no) REFERENCES kaigo.assessment;
ALTER TABLE kaigo.special_collection
    ADD PRIMARY KEY (notice_no), ADD FOREIGN KEY (notice_no) REFERENCES kaigo.assessment;
ALTER TABLE kaigo.provisional_notice
    ADD PRIMARY KEY (notice_no), ADD FOREIGN KEY (insured_no) REFERENCES kaigo.insured_person;
ALTER TABLE kaigo.reminder
    ADD PRIMARY KEY (notice_no), ADD FOREIGN KEY (insured_no) REFERENCES kaigo.insured_person;
ALTER TABLE kaigo.demand_notice
    ADD PRIMARY KEY (notice_no), ADD FOREIGN KEY (insured_no) REFERENCES kaigo.insured_person;
ALTER TABLE kaigo.control_total ADD PRIMARY KEY (batch_no, notice);
ALTER TABLE kaigo.control_amount ADD PRIMARY KEY (batch_no, notice, item);
ALTER TABLE kaigo.last_year_count ADD PRIMARY KEY (notice, fiscal_year, item, value);
ALTER TABLE kaigo.population ADD PRIMARY KEY (batch_no, notice, category);
