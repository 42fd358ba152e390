"""The folder of a run.

RUN/run.json                what is trained, with which settings; what was changed when
RUN/metrics.jsonl           a line per `train.log_every` steps
RUN/tensorboard/            the same and pictures, for TensorBoard
RUN/pictures/NAME/step_N.png
RUN/contact_sheet.png       the pictures, early ones above late ones
RUN/step_N/                 a checkpoint: N steps were done
    dcp/                    all tensors of the run, split as the ranks held them
    state.json              step, epoch and position in it
    export/ema.safetensors  the averaged network, and raw.safetensors as it is; see `models.weights`
RUN/latest                  name of the newest checkpoint
"""
