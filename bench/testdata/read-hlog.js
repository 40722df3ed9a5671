// Prints what hdr-histogram-js reads in a histogram log: for each tag the count, some percentiles and the maximum.
const hdr = require("hdr-histogram-js");
const reader = new hdr.HistogramLogReader(require("fs").readFileSync(process.argv[2], "utf8"));
const tags = {};
for (let h; (h = reader.nextIntervalHistogram()) !== null; ) {
  if (tags[h.tag]) tags[h.tag].add(h);
  else tags[h.tag] = h;
}
const said = {};
for (const [tag, h] of Object.entries(tags)) {
  said[tag] = {
    Count: h.totalCount,
    P50: h.getValueAtPercentile(50),
    P99: h.getValueAtPercentile(99),
    P999: h.getValueAtPercentile(99.9),
    Max: h.maxValue,
  };
}
console.log(JSON.stringify(said));
