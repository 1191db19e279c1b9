-- A host that is given another token may use both until it says that it has kept the new one.
-- A program that does not know of them would refuse a host that has kept it already.
-- oldest: 19

ALTER TABLE hosts ADD COLUMN next_hash {blob};
