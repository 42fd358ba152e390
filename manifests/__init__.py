"""What a dataset is: records, schema, landmark schemes, files, queries and reports. Imports no other package of GAIA."""
