package topo
import ("testing";"os")
func TestSmoke(t *testing.T){
 for _, f := range []string{"testdata/carriage.yaml", os.Getenv("F")} {
  if f=="" {continue}
  tp, fs := Load(f)
  fs.WriteText(os.Stdout)
  tp.WriteEffective(os.Stdout)
 }
 os.WriteFile("/tmp/schema.json", Schema(), 0o644)
}
