"""What a dataset is: records, schema, landmark schemes, files, queries, reports. Imports no other package of GAIA."""
