// draw.go PROMPT [http://HOST:PORT] - has a darkroom server draw it, shows how far it is, writes
// picture.png. Needs Go 1.18 or a later one, and nothing else: go run draw.go PROMPT
package main

import ("bufio"; "bytes"; "encoding/json"; "fmt"; "io"; "log"; "net/http"; "os"; "strings")

type message struct { // what the server answers, and an event
	Type, Job, Phase, State, URL string
	Overall                      float64
}

func body(answer *http.Response, err error) io.Reader {
	if err != nil {
		log.Fatal(err)
	} else if answer.StatusCode >= 300 {
		text, _ := io.ReadAll(answer.Body)
		log.Fatal(string(text))
	}
	return answer.Body
}

func main() {
	var m message
	server := append(os.Args, "http://127.0.0.1:7860")[2]
	spec, _ := json.Marshal(map[string]any{"spec": map[string]string{"prompt": os.Args[1]}})
	reply := body(http.Post(server+"/v1/jobs", "application/json", bytes.NewReader(spec)))
	json.NewDecoder(reply).Decode(&m)
	lines := bufio.NewScanner(body(http.Get(server + "/v1/jobs/" + m.Job + "/events")))
	for lines.Buffer(nil, 1<<20); lines.Scan(); {
		if data := strings.TrimPrefix(lines.Text(), "data: "); data != lines.Text() {
			json.Unmarshal([]byte(data), &m)
			fmt.Printf("%s %s %.0f %%\n", m.Type, m.Phase, 100*m.Overall)
		}
	}
	if m.State != "done" {
		log.Fatal("The picture is not done: ", m.State)
	}
	picture, _ := io.ReadAll(body(http.Get(server + m.URL)))
	os.WriteFile("picture.png", picture, 0o644)
}
