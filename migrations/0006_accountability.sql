-- Who did what: the versions of one agent without looking at those of all others.
CREATE INDEX versions_agents ON versions USING gin (agents jsonb_path_ops);
CREATE INDEX terms_of_object ON terms (pid, term);
