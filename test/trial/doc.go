// Package trial holds what the trials of this project share: private PostgreSQL servers that can be stopped, updater
// processes that can be killed, simulated clusters that keep a history of what was true when, proxies that harm
// connections, the judges that compare a database with all that, and the table that says what was tried and what was
// lost. The judges read the database with SQL of their own: code on trial is no witness.
package trial
