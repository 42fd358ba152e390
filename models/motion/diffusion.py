"""The speech-to-motion diffusion model S with its speech encoder A and pose predictor P (GAIA section 4.3).

S predicts the motion z_0 from its noised form z_t, the time t, the speech z^s, a reference frame z^m(i) and the head
pose x^p (equation 8). Landmarks as the target, text as the condition and the ablations are the same class with another
config.

Shapes: B sequences, T frames, D numbers of the target per frame, C channels of the network, P = 3 angles, K tokens of a
reference frame, M tokens attended to.
"""

import torch
from torch import Tensor, nn

from models.motion.attention import offsets_embedding, sinusoid
from models.motion.blocks import MotionConformerBlock, MotionTransformerBlock
from models.motion.conditions import BlockConditions
from models.motion.config import MotionDiffusionConfig
from models.motion.face_landmarks import LandmarkStandard
from models.motion.inputs import Conditions, Dropped, MotionInputs, MotionPrediction
from models.motion.pose_predictor import POSE_ANGLES, PosePredictor
from models.motion.speech_encoder import SpeechEncoder
from models.motion.tokens import ReferenceTokens, TextTokens, TimeEmbedding

__all__ = ["MotionDiffusion"]

_BLOCKS = {"conformer": MotionConformerBlock, "transformer": MotionTransformerBlock}


class MotionDiffusion(nn.Module):
    """S, A and P.

    A sampler calls `encode` once, `drop` for the passes of guidance, and `denoise` at every step; a trainer calls
    the module. Targets and references are standardised (mean 0, standard deviation 1); poses are in degrees and
    standardised here, with the statistics given to `set_pose_statistics`. Where the targets are landmarks, `landmarks`
    standardises them.
    """

    pose_mean_deg_P: Tensor
    pose_std_deg_P: Tensor

    def __init__(self, config: MotionDiffusionConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        # the input of a model that edits has the known coordinates and a bit for each as well
        self.input = nn.Linear(config.target_dims * (3 if config.edit else 1), width)
        self.time = TimeEmbedding(width)
        self.reference: nn.Module = (
            ReferenceTokens(config.tokens, config.token_channels, width, channels_first=config.target != "landmarks")
            if config.cond.ref == "cross"
            else nn.Linear(config.target_dims, width)
        )
        self.null_reference_C = nn.Parameter(0.02 * torch.randn(width))
        self.speech: SpeechEncoder | None = None
        self.text: TextTokens | None = None
        if config.condition == "speech":
            self.speech = SpeechEncoder(
                config.speech_encoder, speech_dim=config.speech_dim, output_width=width, dropout=config.dropout
            )
            self.null_speech_C = nn.Parameter(0.02 * torch.randn(width))
        else:
            self.text = TextTokens(width)
            self.null_text_C = nn.Parameter(0.02 * torch.randn(width))
        if config.pose.enabled:
            self.pose = nn.Linear(POSE_ANGLES, width)
            self.pose_predictor = PosePredictor(width, config.pose.width, config.dropout)
            self.register_buffer("pose_mean_deg_P", torch.zeros(POSE_ANGLES))
            self.register_buffer("pose_std_deg_P", torch.ones(POSE_ANGLES))
        self.landmarks = LandmarkStandard(config.tokens) if config.target == "landmarks" else None
        if config.cond.speech == "cross" and config.cond.ref == "cross":
            # keys of one list: which are speech and which reference
            self.token_kind_2C = nn.Parameter(0.02 * torch.randn(2, width))
        self.blocks = nn.ModuleList(_BLOCKS[config.backbone](config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width)
        self.output = nn.Linear(width, config.target_dims)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def set_pose_statistics(self, mean_deg_P: Tensor, std_deg_P: Tensor) -> None:
        """Set mean and standard deviation of pitch, yaw and roll over the training set, degrees.

        Raises:
            ValueError: a standard deviation is not above 0.
        """
        if not bool((std_deg_P > 0.0).all()):
            raise ValueError(f"standard deviations of the pose are {std_deg_P.tolist()}; give degrees above 0")
        self.pose_mean_deg_P.copy_(mean_deg_P)
        self.pose_std_deg_P.copy_(std_deg_P)

    def standardised_pose(self, pose_deg_BTP: Tensor) -> Tensor:
        """Return the (B, T, 3) pose in standard deviations from the mean: what P is trained to predict."""
        return (pose_deg_BTP - self.pose_mean_deg_P) / self.pose_std_deg_P

    def encode(self, inputs: MotionInputs) -> Conditions:
        """Return the encoded conditions, which are the same at every step of a sampler."""
        speech_BTC, predicted_pose_BTP = self._encode_speech(inputs)
        reference_BKC = self.reference(self._own(inputs.reference_BD))
        return Conditions(
            mask_BT=inputs.mask_BT,
            speech_BTC=speech_BTC,
            reference_BKC=reference_BKC if self.config.cond.ref == "cross" else reference_BKC[:, None],
            text_BLC=None if self.text is None else self.text(self._own(_given(inputs.text_BLG, "text_BLG"))),
            text_mask_BL=None if self.text is None else _given(inputs.text_mask_BL, "text_mask_BL"),
            known_BTD=inputs.known_BTD,
            known_mask_BTD=inputs.known_mask_BTD,
            predicted_pose_BTP=predicted_pose_BTP,
        )

    def _encode_speech(self, inputs: MotionInputs) -> tuple[Tensor | None, Tensor | None]:
        if self.speech is None:
            return None, None
        speech_BTC = self.speech(self._own(_given(inputs.speech_BTF, "speech_BTF")), inputs.mask_BT)
        if not self.config.pose.enabled:
            return speech_BTC, None
        predicted_BTP: Tensor = self.pose_predictor(speech_BTC, inputs.mask_BT)
        pose_BTP = predicted_BTP if inputs.pose_deg_BTP is None else self.standardised_pose(inputs.pose_deg_BTP)
        return speech_BTC + self.pose(self._own(pose_BTP)), predicted_BTP

    def _own(self, tensor: Tensor) -> Tensor:
        """Return `tensor` in the type of the weights: features are float16, the state of a sampler is float32."""
        return tensor.to(self.input.weight.dtype)

    def drop(self, conditions: Conditions, dropped: Dropped) -> Conditions:
        """Return the conditions with learned nulls where they are dropped, for training and for guidance."""
        if dropped.speech_B is not None and conditions.speech_BTC is not None:
            speech_BTC = _replaced(conditions.speech_BTC, self.null_speech_C, dropped.speech_B)
            conditions = conditions._replace(speech_BTC=speech_BTC)
        if dropped.text_B is not None and conditions.text_BLC is not None:
            text_BLC = _replaced(conditions.text_BLC, self.null_text_C, dropped.text_B)
            conditions = conditions._replace(text_BLC=text_BLC)
        if dropped.reference_B is not None:
            reference_BKC = _replaced(conditions.reference_BKC, self.null_reference_C, dropped.reference_B)
            conditions = conditions._replace(reference_BKC=reference_BKC)
        return conditions

    def denoise(self, noisy_BTD: Tensor, time_B: Tensor, conditions: Conditions) -> Tensor:
        """Return the predicted z_0 (equation 8).

        Args:
            noisy_BTD: (B, T, D) z_t. The objective `regression` ignores it and the time.
            time_B: (B,) t in 0 to 1, float32.
            conditions: of `encode`.

        Returns:
            (B, T, D); values in frames of padding have no meaning.
        """
        if self.config.objective == "regression":
            noisy_BTD, time_B = torch.zeros_like(noisy_BTD), torch.ones_like(time_B)
        hidden_BTC = self.input(self._own(self._with_known(noisy_BTD, conditions)))
        if self.config.cond.speech == "cross":
            # without positions, a frame could not find its own speech token
            hidden_BTC = hidden_BTC + _frame_positions(hidden_BTC)
        block_conditions = self._block_conditions(hidden_BTC, time_B, conditions)
        for block in self.blocks:
            hidden_BTC = block(hidden_BTC, block_conditions)
        target_BTD: Tensor = self.output(self.norm(hidden_BTC))
        return target_BTD

    def _with_known(self, noisy_BTD: Tensor, conditions: Conditions) -> Tensor:
        if not self.config.edit:
            return noisy_BTD
        if conditions.known_BTD is None or conditions.known_mask_BTD is None:
            return torch.cat([noisy_BTD, torch.zeros_like(noisy_BTD), torch.zeros_like(noisy_BTD)], dim=-1)
        known_BTD = conditions.known_BTD.masked_fill(~conditions.known_mask_BTD, 0.0)
        return torch.cat([noisy_BTD, known_BTD, conditions.known_mask_BTD.to(noisy_BTD.dtype)], dim=-1)

    def _block_conditions(self, hidden_BTC: Tensor, time_B: Tensor, conditions: Conditions) -> BlockConditions:
        cond = self.config.cond
        tokens_BMC = conditions.reference_BKC if cond.ref == "cross" else None
        token_mask_BM: Tensor | None = None
        if cond.speech == "cross" and conditions.speech_BTC is not None:
            speech_BTC = conditions.speech_BTC + _frame_positions(hidden_BTC)
            tokens_BMC, token_mask_BM = speech_BTC, conditions.mask_BT
            if cond.ref == "cross":
                speech_BTC = speech_BTC + self.token_kind_2C[0]
                reference_BKC = conditions.reference_BKC + self.token_kind_2C[1]
                tokens_BMC = torch.cat([speech_BTC, reference_BKC], dim=1)
                all_BK = conditions.mask_BT.new_ones(reference_BKC.shape[:2])
                token_mask_BM = torch.cat([conditions.mask_BT, all_BK], dim=1)
        return BlockConditions(
            mask_BT=conditions.mask_BT,
            offsets_SC=offsets_embedding(hidden_BTC),
            time_BC=self.time(time_B),
            speech_BTC=conditions.speech_BTC,
            reference_B1C=conditions.reference_BKC if cond.ref == "add" else None,
            tokens_BMC=tokens_BMC,
            token_mask_BM=token_mask_BM,
            text_BLC=conditions.text_BLC,
            text_mask_BL=conditions.text_mask_BL,
        )

    def forward(self, noisy_BTD: Tensor, time_B: Tensor, inputs: MotionInputs, dropped: Dropped) -> MotionPrediction:
        """Return the predicted z_0 and the predicted pose, which equation 8 compares with the truth."""
        conditions = self.encode(inputs)
        target_BTD = self.denoise(noisy_BTD, time_B, self.drop(conditions, dropped))
        return MotionPrediction(target_BTD, conditions.predicted_pose_BTP)


def _frame_positions(hidden_BTC: Tensor) -> Tensor:
    frames = torch.arange(hidden_BTC.shape[1], device=hidden_BTC.device)
    return sinusoid(frames, hidden_BTC.shape[2]).to(hidden_BTC.dtype)


def _replaced(encoded_BXC: Tensor, null_C: Tensor, dropped_B: Tensor) -> Tensor:
    return torch.where(dropped_B[:, None, None], null_C.to(encoded_BXC.dtype), encoded_BXC)


def _given(tensor: Tensor | None, name: str) -> Tensor:
    if tensor is None:
        raise ValueError(f"MotionInputs.{name} is None, but the model was built to be conditioned on it; give it")
    return tensor
