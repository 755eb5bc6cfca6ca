"""Texts that the document can only name: conditions, lists of metrics. What they mean is tested elsewhere; here they
are such that can be read."""

from hypothesis import strategies as st
import schemathesis

fields = st.sampled_from(["id", "created_at", "external_id"])
conditions = st.one_of(
    st.just(""),
    st.builds("{} is null".format, fields),
    st.builds("not {} is not null and created_at < '{}'".format, fields, st.dates().map(lambda d: f"{2000 + d.year % 100}-{d.month:02}-{d.day:02}")),
)
schemathesis.openapi.format("northing-condition", conditions)
