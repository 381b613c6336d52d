// The first page: submit videos, and see what becomes of them.

import { byId } from "./element.js";
import { showHeader } from "./header.js";
import { JobList } from "./job_list.js";
import { SubmitForm } from "./submit_form.js";
import { Uploads } from "./uploads.js";

const list = new JobList();
const uploads = new Uploads(byId("uploads"));
const form = new SubmitForm({
  uploads,
  onJob: (job) => list.add(job),
});

showHeader();
form.start();
list.start();
